"""What stores for Paxos, and runs none of it."""
