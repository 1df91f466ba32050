"""Long runs that show what the tests cannot: kill -9, crowds, blocked threads, full memory, live swaps."""
