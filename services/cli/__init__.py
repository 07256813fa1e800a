"""The command `cxloop`: starts the parts and services, and talks to them over HTTP."""
