"""Error messages for the operator, including those for errors of AWS and the network."""

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
    """A command failed; the text says why and how to fix it."""


def explain(error: aws.BotoCoreError | aws.ClientError) -> str:
    """Return what the error means and how to fix it, in one or two sentences."""
    if isinstance(error, aws.ClientError):
        return _answered(error)
    if isinstance(error, aws.NoCredentialsError | aws.PartialCredentialsError):
        return (
            "There are no AWS credentials. Log in (`aws configure sso`, then `aws sso login`), or "
            "set AWS_PROFILE or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY."
        )
    if isinstance(error, aws.CredentialRetrievalError | aws.ConfigParseError):
        return f"The AWS credentials cannot be read: {error}"
    if isinstance(error, aws.ProfileNotFound):
        return f"{error}. `aws configure list-profiles` shows those that there are."
    if isinstance(error, aws.NoRegionError):
        return "There is no region. Set AWS_REGION, such as AWS_REGION=us-east-1."
    if isinstance(error, aws.InvalidRegionError | aws.UnknownRegionError):
        return f"{error}. Set AWS_REGION to a region of AWS, such as us-east-1."
    if isinstance(error, aws.SSOError | aws.TokenRetrievalError):
        return "The login at AWS has expired. Log in again: `aws sso login`."
    if isinstance(error, aws.SSLError):
        return (
            "The certificate of AWS is not trusted by this machine. Behind a proxy that opens "
            "connections, set AWS_CA_BUNDLE to its authority."
        )
    if isinstance(error, aws.ConnectionError | aws.HTTPClientError):
        where = error.kwargs.get("endpoint_url") or "AWS"
        return (
            f"{where} cannot be reached. Check the network, the proxy, and that AWS_REGION names a "
            "region that exists."
        )
    return f"The call to AWS failed: {error}"


def _answered(error: aws.ClientError) -> str:
    code, message = error.response["Error"]["Code"], error.response["Error"].get("Message", "")
    if code in _EXPIRED:
        return "The AWS credentials have expired. Log in again, for example with `aws sso login`."
    if code in _UNKNOWN:
        return (
            "AWS does not know these credentials, or they are not valid in this region: regions "
            "that are off by default have to be enabled for the account first."
        )
    if code == "OptInRequired":
        return "The account is not signed up for this service, or not in this region."
    if code in _DENIED:
        return f"These credentials may not call {error.operation_name}: {message}"
    return f"AWS refused {error.operation_name} with {code}: {message}"
