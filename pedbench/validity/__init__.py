"""Controls, calibration of attacks, and the flags that travel with a number."""
