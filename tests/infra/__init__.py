"""What must hold of the template, the state machine and the layers, before anything is deployed."""
