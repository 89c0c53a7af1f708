"""The HTTP and WebSocket server: connections, routing, sign-in of a request, errors, limits and the OpenAPI document. Knows no noun of the API."""
