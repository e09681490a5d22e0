"""The log: JSON, with the run's ids bound.

It holds ids, codes and figures: no prompt, no picture, no key, no link. Powertools reads service
and level from the environment. It stands apart from metrics and traces (`common.aws.tracing`)
because the authorizer, which every request waits for, writes none.
"""

from aws_lambda_powertools.logging import Logger

logger = Logger(log_uncaught_exceptions=False)
