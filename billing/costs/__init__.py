"""What providers bill: looking at a bill before it is imported, importing it, taking it back."""
