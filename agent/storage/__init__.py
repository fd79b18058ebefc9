"""What must last: Redis (a server's or the embedded one) and the spool on the disk."""
