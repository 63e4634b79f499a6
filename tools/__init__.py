"""Programs that measure the project itself and write what they find into the documents. In no wheel."""

# Before torch is: it reads what pedbench sets.
import pedbench as pedbench
