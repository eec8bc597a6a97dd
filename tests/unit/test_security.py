"""Keys, roles and budgets: what the guards say, without any server."""

import os
import re
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from odooport.errors import InvalidRequest
from odooport.model import Call, Credentials, Decision, Operation, Principal, Refusal
from odooport_security.keys import KeyRecord, KeyStore, KeyStoreError
from odooport_security.limits import LimitsRateLimiter, seconds_until_it_fits
from odooport_security.policy import KeyPolicy, principal_of
from odooport_security.roles import (
    PROTECTED_MODELS,
    ROLES,
    SENSITIVE_MODELS,
    judge,
    operations_of,
)

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
LOGIN = {"default": Credentials("demo", "admin", "admin")}


class Clock:
    """A clock that moves only when told."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "keys.db"


@pytest.fixture
def store(path: Path, clock: Clock) -> Iterator[KeyStore]:
    store = KeyStore(path, clock=clock)
    yield store
    store.close()


def other_process(path: Path) -> KeyStore:
    """A second store over the same file, as another process has one."""
    return KeyStore(path, clock=lambda: NOW)


# Keys


def test_a_token_shows_the_keys_id_and_proves_the_key(store: KeyStore):
    key, token = store.create("shop", "reader")

    assert re.fullmatch(rf"odp_{key.id}_[A-Za-z0-9_-]{{43}}", token)
    assert store.verify(token) == key == store.find(key.id)


def test_two_keys_never_share_id_or_secret(store: KeyStore):
    tokens = [store.create("shop", "reader")[1] for _ in range(20)]

    assert len({token.split("_", 2)[1] for token in tokens}) == 20
    assert len({token.split("_", 2)[2] for token in tokens}) == 20


def test_the_file_does_not_hold_the_secret(store: KeyStore, path: Path):
    _, token = store.create("shop", "reader")
    store.close()

    assert token.split("_", 2)[2].encode() not in path.read_bytes()


def test_file_and_directory_are_closed_to_other_users(store: KeyStore, path: Path):
    mask = os.umask(0)
    try:
        store.create("shop", "reader")
    finally:
        os.umask(mask)

    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    for file in path.parent.iterdir():
        assert stat.S_IMODE(file.stat().st_mode) == 0o600, file.name


def test_asking_makes_no_file(store: KeyStore, path: Path):
    assert store.list() == []
    assert store.find("abc") is None
    assert store.verify("odp_abc_" + "x" * 43) is None
    assert not path.exists()


@pytest.mark.parametrize(
    "change",
    [
        lambda token: token[:-1],
        lambda token: token + "A",
        lambda token: token[:-1] + ("A" if token[-1] != "A" else "B"),
        lambda token: token.upper(),
        lambda token: "odp_aaaaaaaa_" + token.split("_", 2)[2],
        lambda token: token + "\n",
        lambda token: token.replace("odp_", "odp__", 1),
        lambda token: "",
        lambda token: "Bearer " + token,
        lambda token: token + "\x00",
        lambda token: "odp_\u0430\u0430\u0430\u0430\u0430\u0430\u0430\u0430_"
        + "é" * 43,
    ],
)
def test_a_token_that_is_not_exact_proves_nothing(store: KeyStore, change):
    _, token = store.create("shop", "reader")

    assert store.verify(change(token)) is None


def test_keys_are_listed_oldest_first_with_their_fate(store: KeyStore, clock: Clock):
    first, _ = store.create("first", "reader")
    clock.now += timedelta(seconds=1)
    second, _ = store.create("second", "full", NOW + timedelta(days=90))
    store.revoke(first.id)

    revoked, kept = store.list()
    assert (revoked.name, revoked.revoked_at) == ("first", clock.now)
    assert kept == second
    assert kept.expires_at == NOW + timedelta(days=90)


def test_revoking_again_keeps_the_first_time(store: KeyStore, clock: Clock):
    key, _ = store.create("shop", "reader")
    first = store.revoke(key.id)
    clock.now += timedelta(days=1)

    assert store.revoke(key.id) == first


def test_revoking_an_unknown_key_says_so(store: KeyStore):
    with pytest.raises(InvalidRequest, match="'nope'"):
        store.revoke("nope")


@pytest.mark.parametrize(
    "name", ["", " shop", "-shop", "a\nb", "a\x1b[31m", "x" * 65, "shop;drop", "a/b"]
)
def test_a_name_that_would_spoil_a_log_line_is_refused(store: KeyStore, name: str):
    with pytest.raises(InvalidRequest, match="name of a key"):
        store.create(name, "reader")


@pytest.mark.parametrize("name", ["shop", "Ana's".replace("'", "."), "café 2", "a@b.c"])
def test_ordinary_names_are_taken(store: KeyStore, name: str):
    assert store.create(name, "reader")[0].name == name


@pytest.mark.parametrize("role", ["", "admin", "Reader", "root"])
def test_a_role_that_does_not_exist_is_refused(store: KeyStore, role: str):
    with pytest.raises(InvalidRequest, match="reader, editor, full"):
        store.create("shop", role)


def test_a_key_cannot_be_born_expired(store: KeyStore):
    with pytest.raises(InvalidRequest, match="past"):
        store.create("shop", "reader", NOW)


def test_keys_of_another_process_are_seen_at_once(store: KeyStore, path: Path):
    key, mine = store.create("mine", "reader")
    other = other_process(path)
    theirs, token = other.create("theirs", "reader")
    revoked = other.revoke(key.id)
    other.close()

    assert store.verify(token) == theirs
    assert store.verify(mine) == revoked


def test_a_deleted_file_takes_its_keys_along(store: KeyStore, path: Path):
    _, token = store.create("shop", "reader")
    for file in path.parent.iterdir():
        file.unlink()

    assert store.verify(token) is None
    assert store.list() == []


def test_a_file_that_took_the_place_of_another_is_the_one_that_counts(
    store: KeyStore, path: Path, tmp_path: Path
):
    _, token = store.create("old", "reader")
    other = other_process(tmp_path / "new" / "keys.db")
    key, new = other.create("new", "reader")
    other.close()
    for file in path.parent.iterdir():
        file.unlink()
    (tmp_path / "new" / "keys.db").rename(path)

    assert store.verify(token) is None
    assert store.verify(new) == key


def test_many_processes_can_make_the_first_key_together(path: Path):
    code = (
        "import sys; from pathlib import Path; from odooport_security import KeyStore; "
        "print(KeyStore(Path(sys.argv[1])).create('shop', 'reader')[1])"
    )
    running = [
        subprocess.Popen(
            [sys.executable, "-c", code, str(path)], stdout=subprocess.PIPE, text=True
        )
        for _ in range(4)
    ]
    tokens = [process.communicate()[0].strip() for process in running]

    store = other_process(path)
    assert all(store.verify(token) is not None for token in tokens)
    store.close()


def test_a_file_that_is_no_key_store_is_an_error_without_its_path(
    store: KeyStore, path: Path
):
    path.parent.mkdir()
    path.write_text("these are not the keys that you are looking for " * 100)

    with pytest.raises(KeyStoreError, match="cannot be read") as caught:
        store.verify("odp_abc_" + "x" * 43)
    assert str(path) not in str(caught.value)


def test_a_store_of_a_newer_version_is_left_alone(store: KeyStore, path: Path):
    store.create("shop", "reader")
    store.close()
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA user_version = 99")
    connection.close()

    with pytest.raises(KeyStoreError, match="newer Odooport"):
        store.list()


# Who it is


@pytest.fixture
def policy(store: KeyStore, clock: Clock) -> KeyPolicy:
    return KeyPolicy(store, LOGIN, clock=clock)


async def test_a_key_answers_a_principal_with_its_role(
    policy: KeyPolicy, store: KeyStore
):
    key, token = store.create("shop", "editor")

    assert await policy.authenticate(token, "127.0.0.1") == Principal(
        key.id, "shop", "editor", LOGIN, max_rows=ROLES["editor"].max_rows
    )


async def refusal(policy: KeyPolicy, token: str) -> Refusal:
    answer = await policy.authenticate(token, None)
    assert isinstance(answer, Refusal)
    return answer


async def test_nonsense_unknown_and_wrong_secrets_get_the_same_answer(
    policy: KeyPolicy, store: KeyStore
):
    key, _ = store.create("shop", "reader")
    old = store.revoke(store.create("old", "reader")[0].id)

    answers = [
        await refusal(policy, token)
        for token in (
            "",
            "nonsense",
            "odp_unknown_" + "x" * 43,
            f"odp_{key.id}_" + "x" * 43,
            f"odp_{old.id}_" + "x" * 43,
        )
    ]
    assert len({answer.reason for answer in answers}) == 1
    assert "x" * 43 not in answers[0].reason


async def test_who_has_the_secret_learns_that_the_key_expired(
    policy: KeyPolicy, store: KeyStore, clock: Clock
):
    _, token = store.create("shop", "reader", NOW + timedelta(days=1))
    assert isinstance(await policy.authenticate(token, None), Principal)
    clock.now += timedelta(days=1)

    assert (await refusal(policy, token)).rule == "expired-key"


async def test_a_revocation_counts_from_the_next_request(
    policy: KeyPolicy, store: KeyStore, path: Path
):
    key, token = store.create("shop", "reader")
    assert isinstance(await policy.authenticate(token, None), Principal)
    other = other_process(path)
    other.revoke(key.id)
    other.close()

    answer = await refusal(policy, token)
    assert answer.rule == "revoked-key"
    assert key.id in answer.reason


async def test_a_store_that_cannot_be_read_lets_nobody_in(
    policy: KeyPolicy, store: KeyStore, path: Path
):
    _, token = store.create("shop", "reader")
    store.close()
    path.write_text("broken " * 1000)

    assert (await refusal(policy, token)).rule == "key-store"


# What they may


def principal(role: str, max_rows: int = 1000) -> Principal:
    return Principal("k1", "shop", role, LOGIN, max_rows=max_rows)


READ = Call("res.partner", "read", ([1], ["name"]))
WRITE = Call("res.partner", "write", ([1], {"name": "x"}))
CREATE = Call("res.partner", "create", ({"name": "x"},))
UNLINK = Call("res.partner", "unlink", ([1],))
ACTION = Call("sale.order", "action_confirm", ([1],))


@pytest.mark.parametrize(
    ("role", "allowed"),
    [
        ("reader", [READ]),
        ("editor", [READ, WRITE, CREATE]),
        ("full", [READ, WRITE, CREATE, UNLINK, ACTION]),
        ("admin", []),
        ("", []),
    ],
)
def test_a_role_allows_what_it_names_and_nothing_else(role: str, allowed: list[Call]):
    calls = [READ, WRITE, CREATE, UNLINK, ACTION]

    assert [call for call in calls if judge(principal(role), call).allowed] == allowed


@pytest.mark.parametrize(
    ("call", "reason"),
    [
        (
            WRITE,
            (
                "The role 'reader' may not write 'res.partner'; "
                "a key with the role 'editor' may."
            ),
        ),
        (
            UNLINK,
            (
                "The role 'reader' may not delete 'res.partner'; "
                "a key with the role 'full' may."
            ),
        ),
        (
            ACTION,
            (
                "The role 'reader' may not call 'action_confirm' on 'sale.order'; "
                "a key with the role 'full' may."
            ),
        ),
    ],
)
def test_a_refusal_names_the_least_role_that_may(call: Call, reason: str):
    assert judge(principal("reader"), call) == Decision(
        False, reason, "role-reader", call
    )


@pytest.mark.parametrize(
    "method",
    [
        "_write",
        "__class__",
        "__init__",
        "_",
        "",
        "wri\u0442e",  # a Cyrillic letter
        "\uff57rite",  # a full-width letter
        "write ",
        "write\n",
        "write.sudo",
        "write()",
        "1write",
        "x" * 129,
    ],
)
@pytest.mark.parametrize("role", ["reader", "full"])
def test_no_role_calls_what_is_not_a_public_method(role: str, method: str):
    decision = judge(principal(role), Call("res.partner", method, ([1],)))

    assert (decision.allowed, decision.rule) == (False, "private-method")


@pytest.mark.parametrize(
    "model",
    ["", "res partner", "res.partner\n", "Res.Partner", "res..partner", ".res", "../x"],
)
def test_what_is_no_models_name_is_refused(model: str):
    decision = judge(principal("full"), Call(model, "read", ([1],)))

    assert (decision.allowed, decision.rule) == (False, "model-name")


@pytest.mark.parametrize("model", sorted(SENSITIVE_MODELS))
@pytest.mark.parametrize("role", sorted(ROLES))
def test_no_role_reaches_a_sensitive_model(role: str, model: str):
    for method in ("read", "write", "unlink", "run", "execute"):
        call = Call(model, method, ([1], {}) if method == "write" else ([1],))
        assert not judge(principal(role), call).allowed


@pytest.mark.parametrize("model", sorted(PROTECTED_MODELS))
def test_protected_models_are_for_reading_only(model: str):
    full = principal("full")

    assert judge(full, Call(model, "read", ([1],))).allowed
    for method in ("write", "unlink", "change_password", "button_immediate_install"):
        call = Call(model, method, ([1], {}) if method == "write" else ([1],))
        assert judge(full, call).rule == "protected-model"


def test_arguments_that_hide_their_meaning_are_refused():
    call = Call("res.partner", "search_read", ([],), {"domian": []})

    assert judge(principal("full"), call).rule == "shape"


@pytest.mark.parametrize("limit", [None, False, 0, 7, 1_000_000])
@pytest.mark.parametrize("by", ["position", "keyword"])
def test_a_search_gets_no_more_rows_than_its_role_may_have(by: str, limit: object):
    if by == "position":
        call = Call("res.partner", "search_read", ([], ["name"], 0, limit))
        sent = Call("res.partner", "search_read", ([], ["name"], 0, 5))
    else:
        call = Call("res.partner", "search_read", ([],), {"limit": limit})
        sent = Call("res.partner", "search_read", ([],), {"limit": 5})

    decision = judge(principal("reader", max_rows=5), call)

    assert decision.allowed
    assert decision.call == sent


def test_a_search_without_a_limit_gets_one():
    decision = judge(principal("reader", max_rows=5), Call("res.partner", "search"))

    assert decision.call.kwargs == {"limit": 5}


def test_a_smaller_limit_stays():
    call = Call("res.partner", "search", ([],), {"limit": 4})

    assert judge(principal("reader", max_rows=5), call).call == call


def test_the_one_row_that_tells_whether_there_is_more_is_let_through():
    call = Call("res.partner", "search", ([],), {"limit": 6})

    assert judge(principal("reader", max_rows=5), call).call == call


def test_a_name_search_without_a_limit_keeps_odoos_hundred():
    decision = judge(principal("reader"), Call("res.partner", "name_search", ("a",)))

    assert decision.call.kwargs == {"limit": 100}


@pytest.mark.parametrize("limit", [-1, "5", 5.0, True, [5]])
def test_a_limit_that_is_no_number_above_zero_is_refused(limit: object):
    call = Call("res.partner", "search", ([],), {"limit": limit})

    assert judge(principal("reader"), call).rule == "shape"


def test_reading_by_id_is_bounded_too():
    reader = principal("reader", max_rows=3)

    assert judge(reader, Call("res.partner", "read", ([1, 2, 3],))).allowed
    assert judge(reader, Call("res.partner", "read", ([1, 2, 3, 4],))).rule == (
        "max-rows"
    )


NESTED = {"child_ids": [[0, 0, {"name": "x", "child_ids": [[2, 51, 0]]}]]}
DELETING = {
    "command": {"child_ids": [[2, 50, 0]]},
    "tuples": {"child_ids": ((2, 50, 0),)},
    "short": {"child_ids": [[2, 50]]},
    "a number with a point": {"child_ids": [[2.0, 50, 0]]},
    "after another": {"child_ids": [[4, 3, 0], [2, 50, 0]]},
    "in a new record": NESTED,
    "in a changed record": {"child_ids": [[1, 5, {"child_ids": [[2, 51]]}]]},
    "two records deep": {"parent": [[1, 5, NESTED]]},
    "in values in a list": {"parent": [[0, 0, [{"child_ids": [[2, 51]]}]]]},
    "in values where none belong": {"parent": [[4, NESTED, 0]]},
    "in values in place of a list": {"parent": {"child_ids": [[2, 51]]}},
}


@pytest.mark.parametrize("values", DELETING.values(), ids=DELETING.keys())
def test_who_may_not_delete_does_not_delete_through_a_list_either(values):
    editor = principal("editor")
    for call in (
        Call("res.partner", "write", ([1], values)),
        Call("res.partner", "write", ([1],), {"vals": values}),
        Call("res.partner", "create", (values,)),
        Call("res.partner", "create", ([{"name": "x"}, values],)),
        Call("res.partner", "copy", ([1], values)),
        Call("res.partner", "copy", ([1],), {"default": values}),
        Call("res.partner", "web_save", ([1], values, {})),
    ):
        assert not judge(editor, call).allowed
        assert judge(principal("full"), call).allowed


def test_a_refusal_to_delete_through_a_list_names_the_list_and_what_to_do():
    call = Call("res.partner", "write", ([1], DELETING["in a new record"]))

    assert judge(principal("editor"), call) == Decision(
        False,
        "The role 'editor' may not delete records, not even through 'child_ids': use "
        "'remove' to take them out of it, or a key with the role 'full'.",
        "role-editor",
        call,
    )


@pytest.mark.parametrize(
    "values",
    [
        {"tag_ids": [[6, 0, [2, 3]]]},
        {"tag_ids": [2, 3]},
        {"tag_ids": [[3, 2, 0], [4, 2, 0], [5, 0, 0], []]},
        {"child_ids": [[0, 0, {"tag_ids": [[6, 0, [2, 3]]]}], [1, 2, {"color": 2}]]},
        {"properties": {"tags": [2, 3], "number": 2}},
        {"name": "2", "color": 2, "note": b"2", "empty": [], "none": None},
    ],
)
def test_other_commands_are_not_taken_for_a_deletion(values):
    editor = principal("editor")

    assert judge(editor, Call("res.partner", "write", ([1], values))).allowed
    assert judge(editor, Call("res.partner", "create", (values,))).allowed


def test_a_form_that_deletes_a_line_saves_nothing_and_is_let_through():
    values = {"order_line": [[2, 5, 0]]}
    call = Call("sale.order", "onchange", ([1], values, ["order_line"], {}))

    assert judge(principal("reader"), call).allowed


def test_every_operation_has_a_role_that_may():
    for operation in Operation:
        assert any(operation in role.operations for role in ROLES.values())


def test_the_operations_of_a_principal_are_those_of_its_role():
    assert operations_of(principal("reader")) == {Operation.READ}
    assert operations_of(principal("full")) == set(Operation)
    assert operations_of(principal("gone")) == set()


def test_a_principal_of_an_unknown_role_gets_no_rows():
    assert principal_of("k1", "shop", "gone", LOGIN).max_rows == 0


# How much


async def test_remaining_counts_down_and_the_last_call_waits():
    limiter = LimitsRateLimiter("3/day")

    quotas = [await limiter.take("k1") for _ in range(4)]

    assert [quota.remaining for quota in quotas] == [2, 1, 0, 0]
    assert [quota.retry_after > 0 for quota in quotas] == [False, False, False, True]
    assert all(0 < quota.reset_after <= 2 * 86_400 for quota in quotas)


async def test_a_cost_beyond_the_budget_never_fits():
    quota = await LimitsRateLimiter("3/minute").take("k1", cost=4)

    assert (quota.allowed, quota.remaining, quota.retry_after) == (False, 3, 60.0)


@pytest.mark.parametrize("budget", ["", "many", "600/fortnight"])
def test_a_budget_that_cannot_be_read_is_refused(budget: str):
    with pytest.raises(InvalidRequest, match="600/minute"):
        LimitsRateLimiter(budget)


@pytest.mark.parametrize(
    ("most", "before", "now", "turns_in", "wait"),
    [
        (9, 0, 0, 30, 0),  # nothing counts
        (9, 20, 0, 60, 30),  # half of the 20 must have faded
        (9, 10, 5, 45, 15),  # 10 * 30 / 60 + 5 = 10, and below it fits
        (9, 0, 10, 15, 15),  # this window is full: it begins to fade when it turns
        (9, 10, 10, 15, 15),
        (4, 0, 10, 15, 45),
        (-1, 0, 0, 30, 60),
    ],
)
def test_the_wait_is_until_enough_calls_have_faded(
    most: int, before: int, now: int, turns_in: float, wait: float
):
    assert (
        seconds_until_it_fits(most, 60, before=before, now=now, turns_in=turns_in)
        == wait
    )


def test_records_do_not_show_when_they_never_expire():
    assert not KeyRecord("k", "shop", "reader", NOW).is_expired(datetime.max)
