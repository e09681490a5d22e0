"""Error messages for operators, including explanations of AWS and network errors."""

from botocore import exceptions as aws

_EXPIRED = {"ExpiredToken", "ExpiredTokenException", "RequestExpired", "TokenRefreshRequired"}
_UNKNOWN = {
    "InvalidClientTokenId",
    "UnrecognizedClientException",
    "SignatureDoesNotMatch",
    "AuthFailure",
    "InvalidAccessKeyId",
    "IncompleteSignature",
}
_DENIED = {
    "AccessDenied",
    "AccessDeniedException",
    "UnauthorizedOperation",
    "AuthorizationError",
    "UnauthorizedException",
}


class OperatorError(Exception):
    """A command failed; the message says why and how to fix it."""


def explain(error: aws.BotoCoreError | aws.ClientError) -> str:
    """Return an explanation of the error and its fix, in one or two sentences."""
    if isinstance(error, aws.ClientError):
        return _explain_response(error)
    if isinstance(error, aws.NoCredentialsError | aws.PartialCredentialsError):
        return (
            "No AWS credentials were found. Log in (`aws configure sso`, then `aws sso login`), or "
            "set AWS_PROFILE or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY."
        )
    if isinstance(error, aws.CredentialRetrievalError | aws.ConfigParseError):
        return f"The AWS credentials cannot be read: {error}"
    if isinstance(error, aws.ProfileNotFound):
        return f"{error}. List the profiles with `aws configure list-profiles`."
    if isinstance(error, aws.NoRegionError):
        return "No region is set. Set AWS_REGION, such as AWS_REGION=us-east-1."
    if isinstance(error, aws.InvalidRegionError | aws.UnknownRegionError):
        return f"{error}. Set AWS_REGION to an AWS region, such as us-east-1."
    if isinstance(error, aws.SSOError | aws.TokenRetrievalError):
        return "The AWS SSO session has expired. Log in again: `aws sso login`."
    if isinstance(error, aws.SSLError):
        return (
            "This machine does not trust the certificate of AWS. Behind a TLS-inspecting proxy, "
            "set AWS_CA_BUNDLE to the certificate of its authority."
        )
    if isinstance(error, aws.ConnectionError | aws.HTTPClientError):
        where = error.kwargs.get("endpoint_url") or "AWS"
        return (
            f"{where} cannot be reached. Check the network, the proxy, and that the region in "
            "AWS_REGION exists."
        )
    return f"The call to AWS failed: {error}"


def _explain_response(error: aws.ClientError) -> str:
    code, message = error.response["Error"]["Code"], error.response["Error"].get("Message", "")
    if code in _EXPIRED:
        return "The AWS credentials have expired. Log in again, for example with `aws sso login`."
    if code in _UNKNOWN:
        return (
            "AWS does not recognize these credentials, or they are not valid in this region. "
            "Opt-in regions have to be enabled for the account first."
        )
    if code == "OptInRequired":
        return "The account is not subscribed to this service, or not in this region."
    if code in _DENIED:
        return f"These credentials may not call {error.operation_name}: {message}"
    return f"AWS rejected {error.operation_name} with {code}: {message}"
