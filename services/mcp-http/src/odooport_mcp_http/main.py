"""The command ``odooport-mcp-http``: MCP over HTTP, until a signal comes."""

import asyncio
import sys

from odooport import OdooportError
from odooport_mcp_http.container import Container
from odooport_runtime.container import shutdown
from odooport_runtime.logging import configure_logging
from odooport_runtime.serving import end_on_signals, listen, serve, tls_files


def main() -> None:
    """Serve MCP over HTTP until SIGINT or SIGTERM."""
    end_on_signals()
    try:
        asyncio.run(_run(Container()))
    except OdooportError as error:
        sys.stderr.write(f"odooport-mcp-http: {error.message}\n")
        sys.exit(2)


async def _run(container: Container) -> None:
    settings = container.settings()
    configure_logging(settings.log_level)
    try:
        tls = tls_files(settings)
        with listen(settings.host, settings.port) as listener:
            await serve(
                container.app(),
                listener,
                tls=tls,
                files=settings.sources,
                drain=container.drain(),
                grace=settings.grace,
            )
    finally:
        await shutdown(container)


if __name__ == "__main__":
    main()
