"""What layers compute: factors, ranks, exact low-rank algebra."""
