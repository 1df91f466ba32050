"""Everything that owns state: each module here is an actor, or what an actor is made of."""
