"""Programs that measure what the documents tell."""

# Before torch is: it reads what pedbench sets.
import pedbench as pedbench
