"""Reports: tables, figures and pages made from a run. The code knows no defense, attack or metric by name."""
