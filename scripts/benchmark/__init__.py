"""The benchmark: Tenantry between a hand-written floor and FastAPI, in one run on one machine."""
