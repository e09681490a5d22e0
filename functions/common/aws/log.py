"""The logger: JSON lines with the ids of the run.

Log entries contain ids, codes and numbers, but no prompts, images, keys or links. Powertools reads
service and level from the environment. Metrics and traces are in another module
(`common.aws.tracing`), because the authorizer, which delays every request, uses neither.
"""

from aws_lambda_powertools.logging import Logger

logger = Logger(log_uncaught_exceptions=False)
