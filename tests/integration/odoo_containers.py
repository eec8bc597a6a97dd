"""Odoo and PostgreSQL in containers, initialised once and kept as images.

The engine must be on this machine: what is published is published on loopback only.
"""

import hashlib
import os
import socket
from collections.abc import Generator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import docker
from docker.errors import APIError, DockerException, ImageNotFound
from testcontainers.core.config import testcontainers_config
from testcontainers.core.container import DockerContainer
from testcontainers.core.docker_client import DockerClient, get_docker_host
from testcontainers.core.network import Network
from testcontainers.core.wait_strategies import (
    ExecWaitStrategy,
    LogMessageWaitStrategy,
)

from . import odoo_server
from .odoo_server import (
    FIRST_LANGUAGE,
    MODULES,
    SECOND_LANGUAGE,
    OdooServer,
    prepare,
    wait_until_up,
)

LOCAL_ENGINE = "unix:///var/run/docker.sock"
DEFAULT_IMAGE = "odoo:18.0"
DEBIAN_IMAGE = "odooport-test-odoo:19"
"""What ``.ci/odoo-image`` builds where the default cannot be pulled."""

POSTGRES_IMAGE = "postgres:17"
HOLDS_POSTGRES = "odooport.tests.postgres"  # a label of DEBIAN_IMAGE
READY_IMAGE = "odooport-test-ready"
MADE_FROM = "odooport.tests.from"  # a label of READY_IMAGE: the name of its base
OWNER = "odooport.tests.pid"  # a label: the process that a container serves

DATABASE = "odooport"
ODOO_PORT = 8069
# Outside of every VOLUME of the official images, so that a commit keeps them.
DATABASE_FOLDER = "/tmp/odooport-postgres"
FILES_FOLDER = "/tmp/odooport-files"

REGISTRY_SECONDS = 15
STARTING_SECONDS = 120
INSTALLING_SECONDS = 900
STOPPING_SECONDS = 60
ENGINE = {"timeout": INSTALLING_SECONDS}
"""An engine that copies whole images takes minutes for a container."""

# A crash may cost the tests their data; waiting for the disk is most of a set-up.
POSTGRES = (
    *("postgres", "-c", "listen_addresses=*", "-c", "shared_buffers=256MB"),
    *("-c", "fsync=off", "-c", "synchronous_commit=off", "-c", "full_page_writes=off"),
)
# Does in an image of ours what the official image's entry point does. No password:
# only Odoo's container shares the network, and no port of this one is published.
POSTGRES_FROM_DEBIAN = """
set -eu
PATH="$(echo /usr/lib/postgresql/*/bin):$PATH"
if [ ! -s "$PGDATA/PG_VERSION" ]; then
    initdb --username="$POSTGRES_USER" --auth=trust --encoding=UTF8 \
        --locale=C.UTF-8 --no-sync > /dev/null
    echo "host all all all trust" >> "$PGDATA/pg_hba.conf"
fi
exec "$@" -c unix_socket_directories=/tmp
"""
ODOO = (
    "--config=/dev/null",
    "--db_host=db",
    "--db_user=odoo",
    f"--database={DATABASE}",
    f"--db-filter=^{DATABASE}$",
    f"--data-dir={FILES_FOLDER}",
    "--http-interface=0.0.0.0",  # inside its container
    f"--http-port={ODOO_PORT}",
    "--workers=0",
    "--max-cron-threads=0",  # nothing happens that no test has asked for
)
INSTALL = (
    f"--init={','.join(MODULES)}",
    # Both: the one alone would leave English inactive.
    f"--load-language={FIRST_LANGUAGE},{SECOND_LANGUAGE}",
    "--without-demo=True",  # any word in Odoo 18, a boolean since 19
)


class Unavailable(Exception):
    """There is no engine or no image; the message says which, and what to do."""


@dataclass(frozen=True, slots=True)
class Images:
    """The two images of one server, and which of the ways PostgreSQL starts."""

    odoo: str
    postgres: str
    from_debian: bool


@contextmanager
def odoo_in_containers(wanted: str | None) -> Generator[OdooServer]:
    """Run Odoo from the wanted image, else from the default, else from Debian's.

    Raises:
        Unavailable: no engine answers, or no image can be had.
    """
    with _engine() as engine:
        _remove_leftovers(engine)
        base = _base_images(engine, wanted)
        ready = _ready_images(engine, base)
        if not (_has(engine, ready.odoo) and _has(engine, ready.postgres)):
            _make_ready(engine, base, ready)
        with _running(ready, ODOO) as (_, _, url):
            wait_until_up(url, seconds=STARTING_SECONDS)
            origin = f"the image {base.odoo}"
            yield prepare(url, DATABASE, "admin", "admin", origin=origin)


@contextmanager
def _engine() -> Generator[docker.DockerClient]:
    nobody = "no Docker engine answers; .ci/engine starts one"
    host = get_docker_host() or LOCAL_ENGINE
    if host.startswith("unix:"):
        # Tried by hand: the docker package leaves the socket open when nobody answers.
        with socket.socket(socket.AF_UNIX) as probe:
            try:
                probe.connect(host.removeprefix("unix://"))
            except OSError as error:
                raise Unavailable(nobody) from error
    try:
        client = DockerClient(**ENGINE).client
    except DockerException as error:
        raise Unavailable(nobody) from error
    with closing(client):
        yield client


def _remove_leftovers(engine: docker.DockerClient) -> None:
    """Remove what a killed run has left behind."""
    ours: dict[str, str | list[str] | bool] = {"label": OWNER}
    for container in engine.containers.list(all=True, filters=ours):
        if not _is_alive(container.labels[OWNER]):
            container.remove(force=True, v=True)
    for network in engine.networks.list(filters=ours):
        if not _is_alive(network.attrs["Labels"][OWNER]):
            network.remove()


def _is_alive(pid: str) -> bool:
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass  # somebody else's, and alive
    return True


def _base_images(engine: docker.DockerClient, wanted: str | None) -> Images:
    choices = (wanted,) if wanted else (DEFAULT_IMAGE, DEBIAN_IMAGE)
    for odoo in choices:
        if not _get(engine, odoo):
            continue
        if HOLDS_POSTGRES in engine.images.get(odoo).labels:
            return Images(odoo, odoo, from_debian=True)
        if _get(engine, POSTGRES_IMAGE):
            return Images(odoo, POSTGRES_IMAGE, from_debian=False)
    names = " nor ".join(choices)
    raise Unavailable(
        f"no image {names} can be had with its PostgreSQL; .ci/odoo-image builds one"
    )


def _get(engine: docker.DockerClient, image: str) -> bool:
    """Have an image, from this machine or else pulled."""
    if _has(engine, image):
        return True
    # Asking first is quick; a pull that cannot work may hang for minutes.
    with closing(DockerClient(timeout=REGISTRY_SECONDS).client) as asking:
        try:
            asking.images.get_registry_data(image)
        except (DockerException, OSError):
            return False
    engine.images.pull(image)
    return True


def _has(engine: docker.DockerClient, image: str) -> bool:
    try:
        engine.images.get(image)
    except ImageNotFound:
        return False
    return True


def _ready_images(engine: docker.DockerClient, base: Images) -> Images:
    """Name the images that hold the prepared database: new set-up, new name."""
    digest = hashlib.sha256()
    for image in (base.odoo, base.postgres):
        digest.update(str(engine.images.get(image).id).encode())
    for source in (odoo_server.__file__, __file__):
        digest.update(Path(source).read_bytes())
    key = digest.hexdigest()[:12]
    return Images(
        f"{READY_IMAGE}:odoo-{key}",
        f"{READY_IMAGE}:postgres-{key}",
        from_debian=base.from_debian,
    )


def _make_ready(engine: docker.DockerClient, base: Images, ready: Images) -> None:
    """Install Odoo's modules, prepare the database, and keep both as images."""
    for old in engine.images.list(READY_IMAGE, filters={"label": MADE_FROM}):
        if old.labels[MADE_FROM] == base.odoo:
            for tag in old.tags:
                # it may have a name that somebody else gave it, or be in use
                if tag.startswith(f"{READY_IMAGE}:"):
                    with suppress(APIError):
                        engine.images.remove(tag)
    with _running(base, (*ODOO, *INSTALL)) as (odoo, postgres, url):
        installed = LogMessageWaitStrategy(r"Registry loaded in")
        installed.with_startup_timeout(INSTALLING_SECONDS)
        installed.wait_until_ready(odoo)
        prepare(url, DATABASE, "admin", "admin", origin=base.odoo)
        # Odoo first: PostgreSQL ends cleanly once nobody is connected.
        for container, image in ((odoo, ready.odoo), (postgres, ready.postgres)):
            wrapped = container.get_wrapped_container()
            wrapped.stop(timeout=STOPPING_SECONDS)
            repository, _, tag = image.partition(":")
            wrapped.commit(repository, tag, changes=f"LABEL {MADE_FROM}={base.odoo}")


@contextmanager
def _running(
    images: Images, arguments: Sequence[str]
) -> Generator[tuple[DockerContainer, DockerContainer, str]]:
    """Run both containers; answer Odoo's, PostgreSQL's, and the address."""
    # Its reaper is an image that has to be pulled; we clean up ourselves.
    testcontainers_config.ryuk_disabled = True
    labels = {OWNER: str(os.getpid())}
    loopback = {"com.docker.network.bridge.host_binding_ipv4": "127.0.0.1"}
    settings = {"labels": labels, "options": loopback}
    with (
        Network(ENGINE, docker_network_kw=settings) as network,
        _postgres(images, network, labels) as postgres,
        _odoo(images, network, labels, arguments) as odoo,
    ):
        yield odoo, postgres, _published(odoo)


def _postgres(
    images: Images, network: Network, labels: dict[str, str]
) -> DockerContainer:
    container = (
        DockerContainer(images.postgres, docker_client_kw=ENGINE)
        .with_envs(
            POSTGRES_USER="odoo",
            POSTGRES_DB="postgres",
            POSTGRES_HOST_AUTH_METHOD="trust",
            PGDATA=DATABASE_FOLDER,
        )
        .with_network(network)
        .with_network_aliases("db")
        # Over TCP: the official image first runs a server that is not yet the one.
        .waiting_for(
            ExecWaitStrategy(["pg_isready", "--host=127.0.0.1", "--username=odoo"])
            .with_startup_timeout(STARTING_SECONDS)
            .with_poll_interval(0.25)
        )
    )
    if images.from_debian:
        script = ["bash", "-c", POSTGRES_FROM_DEBIAN, "postgres"]
        container.with_kwargs(entrypoint=script, user="postgres", labels=labels)
    else:
        container.with_kwargs(labels=labels)
    return container.with_command([*POSTGRES])


def _odoo(
    images: Images, network: Network, labels: dict[str, str], arguments: Sequence[str]
) -> DockerContainer:
    return (
        DockerContainer(images.odoo, docker_client_kw=ENGINE)
        .with_kwargs(entrypoint=["odoo"], user="odoo", labels=labels)
        .with_command([*arguments])
        .with_network(network)
        .with_exposed_ports(ODOO_PORT)
    )


def _published(odoo: DockerContainer) -> str:
    """Answer where Odoo is; testcontainers would guess the host's name."""
    wrapped = odoo.get_wrapped_container()
    wrapped.reload()
    (binding,) = wrapped.ports[f"{ODOO_PORT}/tcp"]
    return f"http://{binding['HostIp']}:{binding['HostPort']}"
