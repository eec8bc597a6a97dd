"""A small but true Odoo 18 in memory: for demos, docs, load tests and tests."""

from odooport_adapters.memory.gateway import (
    DATABASE,
    Clock,
    Handler,
    MemoryGateway,
    system_clock,
)
from odooport_adapters.memory.registry import Behaviour, Method, Model, Rule

__all__ = [
    "DATABASE",
    "Behaviour",
    "Clock",
    "Handler",
    "MemoryGateway",
    "Method",
    "Model",
    "Rule",
    "system_clock",
]
