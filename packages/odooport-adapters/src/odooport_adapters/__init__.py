"""Ways to reach Odoo for Odooport: XML-RPC, JSON-RPC, and an Odoo in memory."""
