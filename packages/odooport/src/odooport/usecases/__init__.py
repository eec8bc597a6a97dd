"""What a caller can do with Odoo: class ``Odoo``. Every door calls this, nothing else.

A use case takes clean values and answers clean values (see ``values``), checks the
request against the model's schema before anything is sent, and sends through the gate.
"""

from odooport.usecases.asking import ModelInfo
from odooport.usecases.knowing import Identity, Knowing
from odooport.usecases.shapes import MAX_IDS
from odooport.usecases.streaming import RecordStream, Streaming
from odooport.usecases.writing import Writing

__all__ = ["MAX_IDS", "Identity", "ModelInfo", "Odoo", "RecordStream"]


class Odoo(Writing, Knowing, Streaming):
    """Odoo, for one caller: light, one for each request.

    Args:
        gate: The guarded path.
        caller: Who asks.
        instance: Which Odoo database.
        context: Language, time zone, companies, and whether archived records show.
    """
