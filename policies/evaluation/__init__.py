"""What the Evaluate screen tells beyond the decision: the smallest change that would permit something, and where else
it could run. Everything told here was judged by the engine; nothing is written."""
