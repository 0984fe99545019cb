"""Comments below YouTube videos."""
