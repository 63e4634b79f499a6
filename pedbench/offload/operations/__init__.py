"""Operations that servers compute, and their payloads as pixels and tokens."""
