"""Gap: generated names and secrets change at each start, and existing buckets are rejected.

Each start deploys the stack again (see infra/local/__init__.py). The patch derives values that AWS
would generate once from the clone's seed: bucket names, the id of the REST API, and the values of
`GenerateSecretString`. It adopts buckets whose objects are on disk.
"""

import hashlib
import hmac
import json
import random
import string
from typing import Any

from infra.local.launcher_settings import LauncherSettings
from infra.local.patches import _ministack

Created = tuple[str, dict[str, Any]]


def apply(settings: LauncherSettings) -> None:
    """Derive generated values from the seed."""
    _stable_buckets(settings.seed)
    _stable_secrets(settings.seed)
    _stable_rest_apis(settings.seed)


def _derive(seed: str, *parts: str) -> str:
    return hmac.new(seed.encode(), "\0".join(parts).encode(), hashlib.sha256).hexdigest()


def _stable_buckets(seed: str) -> None:
    provisioners, s3 = _ministack.provisioners(), _ministack.module("services.s3")
    handler = _ministack.handlers()["AWS::S3::Bucket"]
    create, update = handler["create"], handler["update"]

    def create_or_adopt(logical_id: str, properties: dict[str, Any], stack: str) -> Created:
        if not properties.get("BucketName") and not provisioners._NAME_SEED.get():
            provisioners._NAME_SEED.set(_derive(seed, "bucket", stack)[:8])
        name = properties.get("BucketName") or provisioners._physical_name(
            stack, logical_id, lowercase=True, max_len=63
        )
        bucket = s3._buckets.get(name)
        created: Created
        if bucket is None:
            created = create(logical_id, properties, stack)
        else:
            region = {"region": provisioners.get_region()}
            bucket.update({**region, **s3._new_bucket_public_access_block()})
            created = update(name, {}, properties, stack)
        return created

    handler["create"] = create_or_adopt


def _stable_secrets(seed: str) -> None:
    handler = _ministack.handlers()["AWS::SecretsManager::Secret"]
    create = handler["create"]

    def create_derived(logical_id: str, properties: dict[str, Any], stack: str) -> Created:
        options = properties.get("GenerateSecretString")
        if options is not None and not properties.get("SecretString"):
            value = generated_secret(options, _derive(seed, "secret", stack, logical_id))
            properties = {**properties, "SecretString": value}
        created: Created = create(logical_id, properties, stack)
        return created

    handler["create"] = create_derived


def generated_secret(options: dict[str, Any], seed: str) -> str:
    """Return the value for `GenerateSecretString`, derived from `seed` instead of random."""
    classes = {
        "ExcludeUppercase": string.ascii_uppercase,
        "ExcludeLowercase": string.ascii_lowercase,
        "ExcludeNumbers": string.digits,
        "ExcludePunctuation": string.punctuation,
    }
    excluded = set(options.get("ExcludeCharacters", ""))
    enabled = [chars for flag, chars in classes.items() if str(options.get(flag)).lower() != "true"]
    alphabet = [char for chars in enabled for char in chars if char not in excluded]
    generator = random.Random(seed)  # noqa: S311  # the seed is secret, and 256 bits long
    value = "".join(generator.choices(alphabet, k=int(options.get("PasswordLength", 32))))
    template = options.get("SecretStringTemplate")
    if template is None:
        return value
    return json.dumps({**json.loads(template), options["GenerateStringKey"]: value})


def _stable_rest_apis(seed: str) -> None:
    handler = _ministack.handlers()["AWS::ApiGateway::RestApi"]
    create = handler["create"]

    def create_with_id(logical_id: str, properties: dict[str, Any], stack: str) -> Created:
        # MiniStack takes the id from this tag.
        tag = {"Key": "ms-custom-id", "Value": _derive(seed, "api", stack, logical_id)[:8]}
        tagged = {**properties, "Tags": [*properties.get("Tags", []), tag]}
        created: Created = create(logical_id, tagged, stack)
        return created

    handler["create"] = create_with_id
