"""The fetch of URLs that clients send, with protection against SSRF.

All requests to client-supplied URLs go through this package. One strict pattern parses the URL. Its
host is resolved once, every address must be public, and the connection uses exactly that address
(DNS pinning), with TLS for exactly that host name. docs/decisions/0011-foreign-urls.md explains why
this runs inside the function `api`.
"""

from common.fetch.https import FetchedFile, SafeHttpsClient, fetch

__all__ = ["FetchedFile", "SafeHttpsClient", "fetch"]
