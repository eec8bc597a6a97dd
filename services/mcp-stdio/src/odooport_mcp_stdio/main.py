"""The command ``odooport-mcp-stdio``: MCP for the program that started it."""

import asyncio
import gc
import sys


def main() -> None:
    """Serve MCP over stdin and stdout; a client waits for it to be ready.

    What is loaded at the start stays until the end. Looking through all of it for
    garbage, again and again while it grows, would take a fifth of the start; ``serve``
    begins with that when all is loaded.
    """
    gc.disable()
    from odooport import OdooportError
    from odooport_mcp_stdio.container import Container
    from odooport_mcp_stdio.service import serve

    try:
        asyncio.run(serve(Container()))
    except OdooportError as error:
        sys.stderr.write(f"odooport-mcp-stdio: {error.message}\n")
        sys.exit(2)


if __name__ == "__main__":
    main()
