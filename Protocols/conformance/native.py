"""The clauses of the native dialect, ../native-v1.md, in the order in which they are tried."""

import native_start  # noqa: F401  sections 1, 4 and 12
import native_messages  # noqa: F401  2, 3, 5, 7, 8
import native_conversations  # noqa: F401  6, 7
import native_ends  # noqa: F401  9, 10
import native_handles  # noqa: F401  11
import native_vectors  # noqa: F401  13
from native_program import Context, clause  # noqa: F401
