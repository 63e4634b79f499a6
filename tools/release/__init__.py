"""Known weaknesses of pins, the committed baseline, and reruns of the gate."""
