"""Stand-ins for services that no test can have: they answer as the documentation says.

A fake tests our adapter against documented meaning. It is no evidence about the service.
"""
