"""What a restored or replaced server needs: whose streams these are, lost commits, replay."""
