"""URLs that a client gave us: the one way to read what they lead to.

Whoever may name an address for a server to visit will name the server's own neighbours. So the
URL is taken apart by one strict pattern, its host is resolved once, every address must be a public
one, and the connection goes to exactly that address, under TLS for exactly that name. Why this
runs inside the function `api` is in docs/decisions/0011-foreign-urls.md.
"""

from common.fetch.https import FetchedFile, SafeHttpsClient, fetch

__all__ = ["FetchedFile", "SafeHttpsClient", "fetch"]
