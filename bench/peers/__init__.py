"""What Parley is compared with: small servers, each written as its own documentation recommends for speed, and the limit in C."""
