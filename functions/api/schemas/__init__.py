"""Requests and answers of the API, as typed models; the OpenAPI document is made of them."""
