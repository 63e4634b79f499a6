"""From a run directory to what people read. Nothing here knows a defense, an attack or a metric by name."""
