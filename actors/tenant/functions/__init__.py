"""The folder of potential backend code: one module per noun, one function per action."""
