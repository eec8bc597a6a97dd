"""What each door costs on top of the bare gateway call.

Starts the services over the in-memory Odoo, then asks for the same count through the
bare gateway, the guarded use case, REST, MCP over HTTP and MCP over stdio, in turn: A B
C D E, A B C D E, … so that a machine that slows down slows all of them. Prints the median
of each and its ratio to the bare call.

Usage: python perf/overhead.py [ROUNDS]
"""
