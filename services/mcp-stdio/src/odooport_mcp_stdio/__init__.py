"""Odoo for AI agents: an MCP server over stdio."""
