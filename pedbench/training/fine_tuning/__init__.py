"""Fine-tuning of any SAM in PED order."""
