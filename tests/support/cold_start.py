"""Functions that start cold in the test process."""


def start_cold() -> None:
    """Forget settings, connections and AWS clients, as a new environment of a function does."""
    # Imported late: Powertools reads its settings when it is imported.
    from common import runtime
    from common.aws import clients

    runtime.reset()
    clients._client.cache_clear()
    clients.s3.cache_clear()
