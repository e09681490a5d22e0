"""One construct per part of the system; `infra.stack` wires them."""
