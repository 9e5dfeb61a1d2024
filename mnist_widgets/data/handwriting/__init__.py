"""Your own handwriting: drawings, pictures of paper, and how to make them look like MNIST."""
