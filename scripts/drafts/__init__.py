"""scripts/new: begins one function, with its entry in the index, its file and its test."""
