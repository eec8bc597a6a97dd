"""Odoo as MCP tools, and a typed client of them."""
