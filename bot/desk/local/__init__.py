"""The local desk: the same work on a page of the service's own."""
