"""An attack and a defense that live outside of pedbench."""
