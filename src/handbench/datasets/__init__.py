"""Read and write each dataset exactly as it lies on disk; download it; crop it."""
