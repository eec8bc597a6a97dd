"""A REST API in front of Odoo that tells the truth."""
