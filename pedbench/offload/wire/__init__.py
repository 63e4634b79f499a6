"""Payloads as bytes."""
