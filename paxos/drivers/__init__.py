"""Drivers decide what happens next; the rules decide what it does."""
